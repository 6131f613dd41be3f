int qubus_version_number(void); int qubus_version_number(void){return 0;}
